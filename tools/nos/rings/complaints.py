"""What a kernel says on its console when its own checks find something wrong: no test is content with one that does."""
import re
from typing import Optional

COMPLAINT = re.compile(r"^\[ *\d+\.\d+\] (?:.*\b(?:KASAN|UBSAN): |lockdep: |WARNING: ).*", re.MULTILINE)


def first_complaint(output: str) -> Optional[str]:
    """The first one in what a guest printed."""
    found = COMPLAINT.search(output)
    return found.group(0).strip()[:300] if found else None
