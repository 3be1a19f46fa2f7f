"""Reads a stream of subunit v2 and writes a line of JSON for each test that is through."""
import json
import sys

import subunit
import testtools


def text_of(details):
    reason = details.get('reason')
    if reason is not None:
        return reason.as_text()
    words = [details[name].as_text() for name in sorted(details) if name.startswith('traceback')]
    return '\n'.join(words)[-8000:]


def tell(test):
    began, ended = test['timestamps']
    seconds = (ended - began).total_seconds() if began and ended else 0
    line = {'id': test['id'], 'status': test['status'], 'seconds': round(seconds, 3), 'text': text_of(test['details'])}
    print(json.dumps(line), flush=True)


result = testtools.StreamToDict(tell)
result.startTestRun()
subunit.ByteStreamToStreamResult(sys.stdin.buffer, non_subunit_name='stdout').run(result)
result.stopTestRun()
