"""Python runs this file when it starts: a kernel, and each Python that it starts, notes the files that it opens."""

import os
import sys
from importlib.machinery import SourceFileLoader

NOTES = os.open(os.environ["OPENED_FILES"], os.O_APPEND | os.O_CREAT | os.O_WRONLY)
IMPORT = SourceFileLoader.get_code.__code__


def note(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        # an import has a method open the file
        caller = sys._getframe().f_back
        how = "import" if caller and caller.f_back and caller.f_back.f_code is IMPORT else "read"
        os.write(NOTES, os.fsencode(f"{how} {os.path.abspath(arguments[0])}\n"))


sys.addaudithook(note)
