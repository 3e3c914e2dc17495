// What Python would do anew in every page: node compile.mjs PYODIDE FOLDER turns every .py below FOLDER into a .pyc of
// Pyodide's own Python, in its place, and brings Matplotlib's list of fonts up to date, which Pyodide's copy keeps beside
// its code. No .pyc is checked against a source, because there is none.
import { pathToFileURL } from "node:url";

const [pyodideFolder, folder] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${pyodideFolder}/pyodide.mjs`));
// a fixed seed: the list of fonts follows the order of a set
const env = { HOME: "/home/pyodide", PYTHONHASHSEED: "0" };
const pyodide = await loadPyodide({ indexURL: pyodideFolder, env });
pyodide.mountNodeFS("/parts", folder);
pyodide.runPython(`
import importlib._bootstrap_external as external
import importlib.util
import sys
from pathlib import Path

for path in sorted(Path("/parts").rglob("*.py")):
    source = path.read_bytes()
    # what a traceback names, and nothing of this machine
    place = "/".join(path.parts[3:])
    code = compile(source, f"/lib/python3.12/site-packages/{place}", "exec", dont_inherit=True)
    path.with_suffix(".pyc").write_bytes(external._code_to_hash_pyc(code, importlib.util.source_hash(source), False))
    path.unlink()

sys.path[:0] = ["/parts/numpy", "/parts/matplotlib"]
import matplotlib.font_manager
`);
