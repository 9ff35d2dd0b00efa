"""Kunin, Marchetti, Chen, Karkada, Simon, DeWeese, Ganguli, Miolane (2025), Alternating gradient flows.

Their loss has our 1/2, their time is ours.
"""
