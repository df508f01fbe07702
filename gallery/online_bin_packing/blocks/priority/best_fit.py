def priority(item, bins, crowd):
    return item - bins
