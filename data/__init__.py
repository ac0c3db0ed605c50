"""What people bring: images, labels, class names, density maps, fixations, boxes, masks, taxonomies.

The only room that reads such files. It says what does not fit, and tells which file belongs to which image.
Imports constants, utils and output. Every room may import it but output, plots and metrics; network takes only names.
"""
