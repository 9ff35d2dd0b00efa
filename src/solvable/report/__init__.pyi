from .figures import draw_default as draw_default
from .figures import figure_of as figure_of
from .tables import claim_table as claim_table
from .tables import verdict_table as verdict_table
