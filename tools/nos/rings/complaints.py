"""What the sanitizers of a `--kasan` kernel say on its console: no test is content with a kernel that does."""
import re
from typing import Optional

SANITIZER = re.compile(r"^\[ *\d+\.\d+\] .*\b(?:KASAN|UBSAN): .*", re.MULTILINE)


def of_sanitizers(output: str) -> Optional[str]:
    """The first report in what a guest printed."""
    found = SANITIZER.search(output)
    return found.group(0).strip()[:300] if found else None
