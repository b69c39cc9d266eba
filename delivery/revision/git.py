"""What this room does with git: read, commit, push."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from delivery.errors import DeliveryError

NAME, EMAIL = "behealthy-ci", "behealthy-ci@users.noreply.github.com"
_MADE = "refs/behealthy/made"


def git(*arguments: str, root: Path = Path()) -> str:
    """Run git and return what it printed.

    Raises
    ------
    DeliveryError
        When git fails, with the last lines of what it said.
    """
    result = attempt(*arguments, root=root)
    if result.returncode:
        raise DeliveryError(f"git {arguments[0]} failed: {last_lines(result.stderr)}")
    return result.stdout


def attempt(*arguments: str, root: Path = Path()) -> subprocess.CompletedProcess[str]:
    """Run git; a failure is for the caller to judge."""
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", **credentials(root)}
    return subprocess.run(
        ["git", *arguments], cwd=root, env=environment, capture_output=True, text=True, errors="replace", check=False
    )


def local(root: Path, *arguments: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run git on what is here already: bytes in and out, no credentials; a failure is for the caller to judge."""
    return subprocess.run(["git", *arguments], cwd=root, input=given, capture_output=True, check=False)


def last_lines(stderr: str, count: int = 5) -> str:
    """Return the end of what git said, as one line."""
    return " ".join(stderr.strip().split("\n")[-count:])


def commit(message: str, paths: Sequence[str], root: Path = Path()) -> bool:
    """Commit these paths and nothing else, as CI; return False when they hold nothing new."""
    present = [path for path in paths if (root / path).exists()]
    git("add", "--all", "--", *present, root=root)
    if attempt("diff", "--cached", "--quiet", "--", *present, root=root).returncode == 0:
        return False
    author = ["-c", f"user.name={NAME}", "-c", f"user.email={EMAIL}"]
    git(*author, "commit", "--quiet", "--no-verify", "--message", message, "--", *present, root=root)
    return True


def commit_files(files: Mapping[str, bytes], parent: str, message: str, root: Path = Path()) -> str | None:
    """Commit the content of files on top of a commit, as CI, without a look at the working tree or anything in it.

    Parameters
    ----------
    files : mapping of str to bytes
        By path; the paths are trusted.
    parent : str
        Full hash.
    message : str
    root : Path

    Returns
    -------
    str or None
        The hash of the new commit, on no branch yet; None when the parent has these files already.

    Raises
    ------
    DeliveryError
        When git refuses.
    """
    said = message.encode()
    stream = [b"commit %s\ncommitter %s <%s> now\n" % (_MADE.encode(), NAME.encode(), EMAIL.encode())]
    stream += [b"data %d\n%s\nfrom %s\n" % (len(said), said, parent.encode())]
    stream += [b"M 100644 inline %s\ndata %d\n%s\n" % (p.encode(), len(c), c) for p, c in sorted(files.items())]
    result = local(root, "fast-import", "--quiet", "--force", "--date-format=now", given=b"".join(stream))
    if result.returncode:
        raise DeliveryError(f"git fast-import failed: {last_lines(result.stderr.decode(errors='replace'), 1)}")
    made, tree, before = git("rev-parse", _MADE, f"{_MADE}^{{tree}}", f"{parent}^{{tree}}", root=root).split()
    git("update-ref", "-d", _MADE, root=root)
    return None if tree == before else made


def fetch(branch: str, root: Path = Path()) -> str:
    """Fetch a branch of `origin`; return the full name under which it lies here, which no tag can take."""
    name = f"refs/remotes/origin/{branch}"
    git("fetch", "--quiet", "origin", f"+refs/heads/{branch}:{name}", root=root)
    return name


def is_ancestor(commit: str, of: str, root: Path = Path()) -> bool:
    """Tell whether a commit is in the history of another (or is it)."""
    return attempt("merge-base", "--is-ancestor", commit, of, root=root).returncode == 0


def credentials(root: Path = Path()) -> dict[str, str]:
    """Return settings that authorise git by `GITHUB_TOKEN`, for the server of `origin` alone.

    They go through the environment: an argument would show in the list of processes, a file would
    stay behind. Empty where there is no token or `origin` is not reached by https.
    """
    token = os.environ.get("GITHUB_TOKEN")
    if not token:
        return {}
    url = local(root, "config", "--get", "remote.origin.url").stdout.decode(errors="replace").strip()
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        return {}
    secret = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.https://{parts.netloc.rpartition('@')[2]}/.extraheader",
        "GIT_CONFIG_VALUE_0": f"AUTHORIZATION: basic {secret}",
    }
