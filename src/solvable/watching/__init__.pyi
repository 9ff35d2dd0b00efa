from .lightning import lightning_callback as lightning_callback
from .monitor import Monitor as Monitor
from .runs import describe_run as describe_run
from .runs import read_run as read_run
