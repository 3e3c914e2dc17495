// Runs a Python program in Pyodide under Node: node pyodide.mjs PYODIDE FOLDER PROGRAM
// The program can import what is in FOLDER.
import { pathToFileURL } from "node:url";

const [pyodideFolder, folder, program] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${pyodideFolder}/pyodide.mjs`));
const pyodide = await loadPyodide({ indexURL: pyodideFolder });
pyodide.mountNodeFS("/folder", folder);
pyodide.runPython("import sys; sys.path.insert(0, '/folder')");
try {
  pyodide.runPython(program);
} catch (error) {
  console.error(error.message);  // Python's traceback, without the whole of Pyodide's code
  process.exit(1);
}
