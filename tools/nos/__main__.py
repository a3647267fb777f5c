"""What ./nos starts: `python3 tools/nos ARGUMENTS`."""
import os
import sys

if sys.version_info < (3, 9):
    sys.exit("nos: needs Python 3.9 or newer, this is " + sys.version.split()[0] + ".")
sys.path[0] = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # the folder that holds the package

from nos.main import main  # noqa: E402  (the path has to be set first)

sys.exit(main(sys.argv[1:]))
