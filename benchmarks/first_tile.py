"""A fresh process to its first tile: a handler imported, called with an event, and what that took as JSON.

    python benchmarks/first_tile.py MODULE EVENT_FILE

Imports nothing that the handler would have to import.
"""

import json
import sys
import time

started = time.perf_counter()
module, path = sys.argv[1:]
with open(path) as file:
    event = json.load(file)
handler = __import__(module, fromlist=["handler"]).handler
imported, import_cpu, at_import = time.perf_counter(), time.process_time(), len(sys.modules)
reply = handler(event, None)
first, first_cpu, at_first = time.perf_counter(), time.process_time(), len(sys.modules)
handler(event, None)
with open("/proc/self/status") as file:
    peak_kb = int(file.read().split("VmHWM:")[1].split()[0])
print(
    json.dumps(
        {
            "status": reply["statusCode"],
            "headers": reply["headers"],
            "done": first,
            "import_s": imported - started,
            "tile_s": first - imported,
            "again_s": time.perf_counter() - first,
            "import_cpu_s": import_cpu,
            "cpu_s": first_cpu,
            "modules_imported": at_import,
            "modules": at_first,
            "peak_mb": peak_kb / 1024,
            "files": sorted({file for each in list(sys.modules.values()) if (file := getattr(each, "__file__", None))}),
        }
    )
)
