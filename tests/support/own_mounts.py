"""own_mounts.py - a mount namespace of the test's own: as root, or where users may have
namespaces.  What is mounted there nobody else sees, and it goes with the test."""
import os
import shutil
import subprocess
import sys

INSIDE = "EDS_OWN_MOUNTS"
TRY = 'd=$(mktemp -d) && mount -t tmpfs none "$d"; r=$?; umount "$d"; rmdir "$d"; exit $r'


def enter():
    """Runs the program again, inside; ends it with 77 and a reason where that cannot be."""
    if INSIDE in os.environ:
        return
    words = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-U", "-r", "-m"]
    probe = shutil.which("unshare") and subprocess.run([*words, "sh", "-c", TRY],
                                                       capture_output=True, check=False)
    if not probe or probe.returncode != 0:
        print("skipped: no file system can be mounted here (neither root nor user namespaces)")
        sys.exit(77)
    os.environ[INSIDE] = "1"
    os.execvp("unshare", [*words, sys.executable, *map(os.path.abspath, sys.argv[:1]),
                          *sys.argv[1:]])


def small_disk(place):
    """A disk of one megabyte."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "none", place], check=True)
