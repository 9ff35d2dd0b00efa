"""Atanasov, Zavatone-Veth, Pehlevan (2024), Scaling and renormalization in high-dimensional regression.

Their ridge belongs to the mean over samples: it is ours, of the sum, divided by P. Their errors have no half either;
their test error holds the noise of the labels, as ``test`` does.
"""
