"""Tasks of the workers: celery -A tasks worker. Nothing in here is made for Node."""
import os
from urllib.error import HTTPError
from urllib.request import urlopen

from celery import Celery
from celery.utils.log import get_task_logger

FEEDS = os.environ.get('FEEDS_URL', 'http://127.0.0.1:4005')

log = get_task_logger(__name__)
app = Celery('tasks')
app.conf.update(
    broker_url=os.environ.get('BROKER_URL', 'redis://127.0.0.1:6379/0'),
    result_backend=os.environ.get('RESULT_URL', 'redis://127.0.0.1:6379/0'),
    # What the status routes show: "active", and the number of the attempt.
    task_track_started=True,
    result_extended=True,
    # At least once: a task whose worker dies goes back to the queue.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
)


class Busy(Exception):
    """The supplier asks us to come back later."""


@app.task(bind=True, max_retries=3)
def import_feed(self, feed):
    log.info('importing %s for request %s', feed, self.request.get('req_id'))
    try:
        response = urlopen(f'{FEEDS}/{feed}.csv')
    except HTTPError as error:
        if error.code == 503:
            raise self.retry(exc=Busy(f'{feed} is not ready'), countdown=int(error.headers['retry-after']))
        raise LookupError(f'{feed}: {error.code}') from None
    with response:
        size = int(response.headers['content-length'])
        data = b''
        while part := response.read1(65536):
            data += part
            self.update_state(state='PROGRESS', meta=len(data) / size)
    return {'rows': data.count(b'\n')}
