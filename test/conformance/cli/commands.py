"""Runs commands of the openstack client one after another in one process: a list of words a line in, what came of it a line out."""
import contextlib
import importlib.metadata
import io
import json
import sys

from openstackclient import shell

answers, questions = sys.stdout, sys.stdin


def tell(**words):
    print(json.dumps(words), file=answers, flush=True)


def run(words):
    out, err = io.StringIO(), io.StringIO()
    sys.stdin = io.StringIO('y\n')  # The answer, should a command ask whether to go on.
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = shell.OpenStackShell().run(words)
        except SystemExit as end:
            code = end.code
        except Exception as error:
            code = 1
            print(error, file=err)
    return {'code': int(code or 0), 'out': out.getvalue(), 'err': err.getvalue()}


names = set()
for entry in importlib.metadata.distribution('python-openstackclient').entry_points:
    if entry.group.startswith('openstack.') and entry.group not in ('openstack.cli.base', 'openstack.cli.extension'):
        names.add(entry.group + ' ' + entry.name.replace('_', ' '))
try:
    for entry in importlib.metadata.distribution('osc-placement').entry_points:
        if entry.group.startswith('openstack.placement'):
            names.add(entry.group + ' ' + entry.name.replace('_', ' '))
except importlib.metadata.PackageNotFoundError:
    pass
tell(commands=sorted(names), version=importlib.metadata.version('python-openstackclient'))
for line in questions:
    tell(**run(json.loads(line)))
