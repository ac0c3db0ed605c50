"""What a map owes to the labels: one network after true labels, after them with another seed, and after permuted ones.

    python sanity.py --check=labels        (training/random_labels.py has the training)

A method that explains what was learnt should give other maps where it was learnt by heart; how much two networks differ
that have learnt the same is the baseline. Adebayo et al. 2018, section 3.2.
"""

from comparison.sanity_check import SCORES, compare_with_trained, name_condition

CONDITIONS = (
    name_condition("", "true labels"),
    name_condition("other_seed", "true labels, other seed"),
    name_condition("permuted", "permuted labels"),
)
HEADINGS = SCORES
measure_change = compare_with_trained
