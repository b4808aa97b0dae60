# SPDX-License-Identifier: Apache-2.0
"""Finds or makes the two binaries to compare. Builds a commit in a git worktree of its own."""
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Unusable(Exception):
    """The build does not exist or failed; the text says why."""


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Unusable(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout.strip()


def commit_of(name):
    return run("git", "-C", str(ROOT), "rev-parse", "--verify", "--quiet", "--end-of-options",
               f"{name}^{{commit}}")


def build_commit(commit, folder, jobs):
    """Two variables let ccache hit in any worktree; CMakeLists.txt uses ccache if it is installed."""
    tree, binary = folder / f"tree-{commit}", folder / commit
    environment = os.environ | {"CCACHE_BASEDIR": str(tree), "CCACHE_NOHASHDIR": "1"}
    run("git", "-C", str(ROOT), "worktree", "add", "--detach", str(tree), commit)
    try:
        run("cmake", "--preset", "release", "-DNIDS_TESTS=OFF", cwd=tree, env=environment)
        run("cmake", "--build", "build/release", "--target", "nids-xdp", "--parallel", str(jobs),
            cwd=tree, env=environment)
        (tree / "build/release/nids-xdp").rename(binary)
    finally:
        run("git", "-C", str(ROOT), "worktree", "remove", "--force", str(tree))
    return binary


def binary_of(name, folder, jobs):
    """`name` is a binary or a git commit."""
    path = pathlib.Path(name).resolve()
    if path.is_file() and os.access(path, os.X_OK):
        return str(path)
    try:
        commit = commit_of(name)
    except Unusable:
        raise Unusable(f"'{name}' is neither a program nor a git commit") from None
    return str(build_commit(commit, folder, jobs))


def both(names, jobs):
    """Returns the binaries and the folder in which they live."""
    folder = tempfile.TemporaryDirectory(prefix="nids-builds-")
    built = {}
    for name in names:
        if name not in built:
            built[name] = binary_of(name, pathlib.Path(folder.name), jobs)
    return [built[name] for name in names], folder
