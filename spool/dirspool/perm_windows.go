package dirspool

// permsMatter: the bits say nothing of the access list of a directory.
const permsMatter = false
