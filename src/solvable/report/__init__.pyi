from .figures import draw_default as draw_default
from .figures import figure_of as figure_of
from .information_figure import draw_information_curves as draw_information_curves
from .kernel_motion_figure import draw_kernel_distances as draw_kernel_distances
from .kernel_motion_figure import draw_kernel_picture as draw_kernel_picture
from .tables import claim_table as claim_table
from .tables import verdict_table as verdict_table
