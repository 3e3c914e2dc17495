"""The workflows are valid and pinned, and have only the rights that they need; and the scripts that they run."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib

import pytest
import yaml

from tests.conftest import ROOT

FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
# BaseLoader: otherwise `on` is read as true
WORKFLOWS = {path.stem: yaml.load(path.read_text("utf-8"), yaml.BaseLoader) for path in FILES}
JOBS = {f"{name}/{job}": content for name, workflow in WORKFLOWS.items() for job, content in workflow["jobs"].items()}
needs_git = pytest.mark.skipif(not shutil.which("git"), reason="no git on this machine, and publishing is a push")
STEPS = [step for job in JOBS.values() for step in job.get("steps", [])]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_workflows_follow_the_schema():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    check = subprocess.run([*command, *FILES], capture_output=True, encoding="utf-8")
    assert check.returncode == 0, check.stdout + check.stderr


def test_actions_are_pinned_by_commit_and_say_their_version():
    for path in FILES:
        for action in re.findall(r"uses: (.+)", path.read_text("utf-8")):
            assert re.fullmatch(r"\./\S+|actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), (
                f"{path.name}: an action is one of GitHub's own, by its full commit, with its version after it as "
                f"# v1.2.3, got {action}"
            )
    absent = {name: job["uses"] for name, job in JOBS.items() if "uses" in job and not (ROOT / job["uses"]).is_file()}
    assert not absent, f"a workflow that another one calls is a file of this repository, got {absent}"


def test_only_publishing_may_write_and_it_runs_nothing_else():
    for name, workflow in WORKFLOWS.items():
        rights = workflow.get("permissions")
        assert rights == {"contents": "read"}, f"{name}.yml may only read (permissions: contents: read), got {rights}"
        assert "pull_request_target" not in workflow["on"], (
            f"{name}.yml gives pull requests of strangers the rights of this repository: use pull_request"
        )
    writers = {name: job["permissions"] for name, job in JOBS.items() if "permissions" in job}
    assert writers == {"publish/publish": {"contents": "write"}}, (
        f"only the job `publish` of publish.yml has rights of its own, to write contents, got {writers}"
    )
    needs = JOBS["publish/publish"]["needs"]
    assert needs == "tests", f"publish.yml publishes only what passed the job `tests`, got needs: {needs}"
    run = [step["run"].split()[0] for step in JOBS["publish/publish"]["steps"] if "run" in step]
    assert run == [".ci/publish"], f"the job that may write runs .ci/publish and nothing else, got {run}"
    for name, job in JOBS.items():
        for step in job.get("steps", []):
            if step.get("uses", "").startswith("actions/checkout") and name not in writers:
                kept = step.get("with", {}).get("persist-credentials")
                assert kept == "false", f"{name} checks out without keeping credentials, got {kept}"


def test_a_run_ends_only_older_runs_of_its_workflow_and_its_branch():
    groups = {name: workflow.get("concurrency", {}) for name, workflow in WORKFLOWS.items()}
    for name, found in groups.items():
        group = found.get("group", "")
        assert "${{ github.ref }}" in group, (
            f"{name}.yml: the group names the branch, or a run on another branch ends that of main; got {group!r}"
        )
        assert found.get("cancel-in-progress") == "true", f"{name}.yml: a newer run of a branch ends the older one"
        if "workflow_call" in WORKFLOWS[name]["on"]:
            assert "${{ github.workflow }}" in group, (
                f"{name}.yml: the group names the workflow that calls it, or a run by hand ends the tests inside a "
                f"publication; got {group!r}"
            )
    # a workflow that is called and its caller in one group would wait for each other
    starts = {found["group"].split("-")[0] for found in groups.values()}
    assert len(starts) == len(groups), f"each workflow has a group of its own, got {groups}"


def test_workflows_use_no_secret_and_have_time_limits():
    for path in FILES:
        assert "secrets" not in path.read_text("utf-8"), f"no workflow needs a secret, but {path.name} names one"
    for name, job in JOBS.items():
        minutes = job.get("timeout-minutes", "none")
        assert "uses" in job or (minutes.isdecimal() and int(minutes) <= 120), (
            f"{name} has a limit of at most 120 minutes (timeout-minutes), got {minutes}"
        )


def test_steps_are_one_line_and_run_scripts_of_this_repository():
    for command in (step["run"] for step in STEPS if "run" in step):
        assert "\n" not in command, f"what is longer than one line is a script in .ci, got {command}"
        assert "${{" not in command, f"values of an event reach a shell as variables (env), got {command}"
        assert command.startswith((".ci/", "git config ")), f"a step runs a script of .ci, got {command}"
        if command.startswith(".ci/"):
            assert os.access(ROOT / command.split()[0], os.X_OK), f"the script exists and is executable: {command}"


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / ".ci").iterdir()))
def test_scripts_are_bash_that_stops_at_the_first_error(script):
    path = ROOT / ".ci" / script
    subprocess.run(["bash", "-n", path], check=True)
    options = re.search("^set -.*", path.read_text("utf-8"), re.M)[0]
    for failure in ("false", "false | true", "echo $absent"):
        goes_on = ["bash", "-c", f"{options}\n{failure}\ntrue"]
        assert subprocess.run(goes_on, stderr=subprocess.DEVNULL).returncode, (
            f".ci/{script} begins with `set -euo pipefail`; with `{options}` it goes on after `{failure}`"
        )


def test_no_clock_ends_a_cell():
    files = [*(ROOT / ".ci").iterdir(), ROOT / "tests/book/test_notebooks.py", ROOT / "_config.yml"]
    texts = {path.name: path.read_text("utf-8") for path in files}
    runs = {name for name, text in texts.items() if re.search("jupyter execute|NotebookClient|execute_notebooks", text)}
    assert runs >= {"notebooks", "versions", "test_notebooks.py", "_config.yml"}, f"only {runs} run notebooks"
    limits = {name: found for name in runs if (found := re.findall(r"timeout[=: ]+\d+", texts[name]))}
    assert not limits, f"a cell may take as long as a slow machine needs, without a limit, got {limits}"


# a shell that runs the tests in the background lets its processes ignore Ctrl-C, and bash cannot change that
AS_IN_A_TERMINAL = """
import os, signal, sys
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    signal.signal(signal.Signals[name], signal.SIG_DFL)
os.execvp("bash", ["bash", *sys.argv[1:]])
"""
# a child and grandchildren; SIGTERM ends Python before it can remove its temporary folders, two of which are in _build
NESTED = f"bash -c 'sleep 120 & bash -c \"sleep 120 & {sys.executable} ../work.py\"; true'"
WORK = """
import time
from pathlib import Path
from tempfile import TemporaryDirectory as Folder

Path("_build/pyodide").mkdir(parents=True)
with Folder() as place, Folder(dir="_build/pyodide"), Folder(prefix="MODEL-", dir="_build"):
    Path(place, "file").touch()
    print("ready")
    time.sleep(120)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(
    ("name", "command"), [("SIGTERM", NESTED), ("SIGHUP", NESTED), ("SIGINT", NESTED), ("SIGTERM", "install")]
)
def test_an_interrupted_script_leaves_no_process_and_no_file(name, command, tmp_path):
    work, temporary, programs = folders = [tmp_path / name for name in ("work", "temporary", "programs")]
    for folder in folders:
        folder.mkdir()
    # what `install` calls: it has made half of an environment
    python = programs / "python3"
    python.write_text("#!/usr/bin/env bash\nmkdir .venv\necho ready\nsleep 120\n", "utf-8")
    python.chmod(0o755)
    (tmp_path / "steps").write_text((ROOT / ".ci/steps").read_text("utf-8"), "utf-8")
    (tmp_path / "script").write_text(f". ../steps\nstep Work {command}\n", "utf-8")
    model = re.search(r"smollm _build/(\S+)", (ROOT / ".ci/run").read_text("utf-8"))[1]
    (tmp_path / "work.py").write_text(WORK.replace("MODEL", model), "utf-8")
    own = {"TMPDIR": str(temporary), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8"}
    start = [sys.executable, "-c", AS_IN_A_TERMINAL, "../script"]
    run = subprocess.Popen(start, cwd=work, env=os.environ | own, **output)
    assert "ready\n" in iter(run.stdout.readline, ""), "the script ended by itself"
    assert list(temporary.iterdir()), "the script has a folder for temporary files"
    run.send_signal(signal.Signals[name])
    # the output ends when no process is left that could write to it
    said, _ = run.communicate(timeout=60)
    built = {work / "_build", work / "_build/pyodide"}
    left = [str(path) for folder in (work, temporary) for path in folder.rglob("*") if path not in built]
    assert not left, f"an interrupted script leaves nothing behind, got {left}; it said: {said}"
    assert run.returncode == 130, f"an interrupted script ends with 130, got {run.returncode}; it said: {said}"


PIP = """#!/usr/bin/env bash
echo "$*" >>../calls
case "$*" in *--dry-run*) cat ../report.json ;; esac
"""
# as `python3 -m venv .venv`
VENV = f"""#!/usr/bin/env bash
mkdir -p .venv/bin
cp ../pip .venv/bin/pip
printf '#!/usr/bin/env bash\\nexec {sys.executable} "$@"' >.venv/bin/python
chmod +x .venv/bin/*
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a script of bash")
@pytest.mark.parametrize(
    ("asked", "cuda"),
    [
        (["filelock", "nvidia-nccl-cu13==2.30.7; python_version >= '3.11'"], "nvidia-nccl-cu13"),
        (["cuda-bindings<14,>=13.0.3"], "cuda-bindings"),
        (["filelock", "nvidia-nccl-cu13==2.30.7; platform_system == 'Elsewhere'", "cuda-x; extra == 'y'"], None),
    ],
)
def test_a_build_for_cuda_is_refused_before_it_is_downloaded(asked, cuda, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    for name in ("requirements.txt", "requirements-cpu.txt"):
        (work / name).write_text((ROOT / name).read_text("utf-8"), "utf-8")
    report = {"install": [{"metadata": {"name": "torch", "requires_dist": asked}}]}
    (tmp_path / "report.json").write_text(json.dumps(report), "utf-8")
    for name, text in {"pip": PIP, "python3": VENV}.items():
        (tmp_path / name).write_text(text, "utf-8")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "script").write_text(f". {ROOT}/.ci/steps\nstep Installation install\n", "utf-8")
    own = {"TMPDIR": str(tmp_path), "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "TORCH_CPU": ""}
    ran = subprocess.run(["bash", "../script"], cwd=work, env=os.environ | own, capture_output=True, encoding="utf-8")
    calls = (tmp_path / "calls").read_text("utf-8").splitlines()
    assert "--dry-run" in calls[0] and "--no-deps" in calls[0], f"pip first tells what PyTorch asks for, got {calls}"
    downloads = [call for call in calls if "--dry-run" not in call]
    if cuda is None:
        assert downloads, f"a build without CUDA is installed, but the script said: {ran.stderr}"
    else:
        assert ran.returncode and not downloads, f"nothing is downloaded where PyTorch comes with CUDA, got {downloads}"
        assert f"CUDA ({cuda})" in ran.stderr and "run TORCH_CPU=1 ../script" in ran.stderr, ran.stderr
        assert not (work / ".venv").exists(), "half of an environment is left"


def test_the_scripts_install_what_tests_ask_for():
    asked = {
        name
        for path in (ROOT / "tests").rglob("*.py")
        for name in re.findall(r"Debian: apt-get install ([\w-]+)", path.read_text("utf-8"))
    }
    installed = "".join((ROOT / ".ci" / name).read_text("utf-8") for name in ("steps", "run", "nightly"))
    missing = {name for name in asked if not re.search(rf"[(=]{name}\b", installed)}
    assert asked and not missing, f".ci/run and .ci/nightly install what tests need; no script installs {missing}"


def test_every_supported_version_of_python_is_tested_and_named():
    versions = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["classifiers"]))
    rule = f"the classifiers in pyproject.toml name Python {', '.join(versions)}, and so does"
    matrix = JOBS["tests/package"]["strategy"]["matrix"]["python"]
    assert matrix == versions, f"{rule} the workflow tests.yml, got {matrix}"
    first, last = versions[0], versions[-1]
    bounds = f">={first},<3.{int(last.removeprefix('3.')) + 1}"
    assert PROJECT["requires-python"] == bounds, f"{rule} requires-python: {bounds}, got {PROJECT['requires-python']}"
    readme = (ROOT / "README.md").read_text("utf-8")
    assert readme.count(f"{first}–{last}") == 2, f"{rule} README, as {first}–{last}, in both languages"
    setup = (ROOT / "setup.py").read_text("utf-8")
    assert re.findall(r"3\.\d+", setup) == versions, f"{rule} the sentence in setup.py"
    for edition in ("zh", "en"):
        page = (ROOT / f"book/{edition}/how-to-run.md").read_text("utf-8")
        named = re.findall(r"3\.\d+", re.search(r"^\| Python \|.*", page, re.M)[0])
        assert named == versions, f"{rule} the table in book/{edition}/how-to-run.md, got {named}"
        sentence = re.search(r'"(npo-tutorial needs .*)\{found\}', setup)[1]
        assert f"“{sentence}…”" in page, f"book/{edition}/how-to-run.md quotes setup.py: “{sentence}…”"
    tested = {job["strategy"]["matrix"]["include"][i]["python"] for job in [JOBS["versions/versions"]] for i in (0, 1)}
    assert tested == {first, last}, f"versions.yml tests the oldest and the newest Python, {first} and {last}: {tested}"


def test_tools_that_the_oldest_versions_keep_are_no_dependencies_of_the_package():
    tools = set(re.search("^tools='(.*)'$", (ROOT / ".ci/versions").read_text("utf-8"), re.M)[1].split("|"))
    extras = PROJECT["optional-dependencies"]
    bounds = [
        *PROJECT["dependencies"],
        *(bound for name in ("fast", "llm", "peft", "widgets") for bound in extras[name]),
    ]
    both = tools & {re.match(r"[\w.-]+", bound)[0] for bound in bounds}
    assert not both, f".ci/versions would pin these twice, to the oldest and to the tool's: {both}"


def test_no_workflow_downloads_cuda():
    index = re.search("^--extra-index-url (.+)$", (ROOT / "requirements-cpu.txt").read_text("utf-8"), re.M)[1]
    for name, workflow in WORKFLOWS.items():
        if any("container" in job for job in workflow["jobs"].values()):
            assert workflow["env"]["PIP_EXTRA_INDEX_URL"] == index, name


def test_a_commit_is_tested_once():
    started = {name: {"push", "pull_request"} & set(workflow["on"]) for name, workflow in WORKFLOWS.items()}
    assert {name: on for name, on in started.items() if on} == {"tests": {"pull_request"}, "publish": {"push"}}
    assert WORKFLOWS["publish"]["on"]["push"] == {"branches": ["main"]}


@needs_git
def test_publishing_leaves_one_commit_that_holds_the_site(tmp_path):
    def git(*arguments, where="clone"):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(command, cwd=tmp_path / where, capture_output=True, encoding="utf-8", check=True).stdout

    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "origin"], check=True)
    subprocess.run(["git", "clone", "-q", tmp_path / "origin", tmp_path / "clone"], check=True, capture_output=True)
    (tmp_path / "clone/.ci").mkdir()
    script = tmp_path / "clone/.ci/publish"
    script.write_text((ROOT / ".ci/publish").read_text("utf-8"), "utf-8")
    # files that main ignores may be part of the site
    (tmp_path / "clone/.gitignore").write_text("_static/\n*.zip\n", "utf-8")
    git("add", ".")
    git("commit", "-q", "-m", "main")
    git("push", "-q", "origin", "HEAD:main")
    pages = {"index.html", "_static/site.css", "notebooks/zh/npo.ipynb", "book/zh/中文.html", "npo-tutorial.zip"}
    for text in ("first", "second"):
        for page in pages:
            (tmp_path / "site" / page).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "site" / page).write_text(text, "utf-8")
        subprocess.run(["bash", script, tmp_path / "site"], check=True, capture_output=True)
    listed = git("ls-tree", "-r", "-z", "--name-only", "gh-pages", where="origin").split("\0")
    assert {name for name in listed if name} == pages | {".nojekyll"}
    assert git("rev-list", "--count", "gh-pages", where="origin").strip() == "1"
    assert git("show", "gh-pages:index.html", where="origin") == "second"
    assert git("status", "--short") == ""
    # meanwhile main moves on, and a run that ends late must not undo what is newer
    git("commit", "-q", "--allow-empty", "-m", "newer")
    git("push", "-q", "origin", "HEAD:main")
    git("reset", "-q", "--hard", "HEAD~")
    (tmp_path / "site/index.html").write_text("stale", "utf-8")
    late = subprocess.run(["bash", script, tmp_path / "site"], capture_output=True, encoding="utf-8", check=True)
    assert "is no longer the newest commit of main" in late.stdout
    assert git("show", "gh-pages:index.html", where="origin") == "second"
    (tmp_path / "empty").mkdir()
    refused = subprocess.run(["bash", script, tmp_path / "empty"], capture_output=True, encoding="utf-8")
    assert refused.returncode and "no index.html" in refused.stderr


def test_binder_has_the_pins_of_the_book():
    environment = yaml.safe_load((ROOT / ".binder/environment.yml").read_text("utf-8"))
    pins = dict(re.findall(r"^([\w-]+)==(.+)$", (ROOT / "requirements.txt").read_text("utf-8"), re.M))
    supported = JOBS["tests/package"]["strategy"]["matrix"]["python"]
    versions = dict(dependency.split("=") for dependency in environment["dependencies"] if "=" in dependency)
    assert environment["channels"] == ["conda-forge"]
    torch = versions.pop("pytorch-cpu")
    rule = f".binder/environment.yml has the pin of requirements.txt, {pins['torch']}"
    assert torch == pins["torch"], f"{rule}, got {torch}"
    python = versions.pop("python")
    assert python in supported, f".binder/environment.yml has a supported Python, got {python}"
    assert not versions
    build = ROOT / ".binder/postBuild"
    assert os.access(build, os.X_OK)
    subprocess.run(["bash", "-n", build], check=True)
    # the line that keeps pip from replacing PyTorch
    (keep,) = re.findall(r"^(grep .*?) \|", build.read_text("utf-8"), re.M)
    kept = subprocess.run(keep, shell=True, cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout
    assert {name for name in pins if f"{name}==" not in kept} == {"torch"}
    assert "-e .\n" in kept
