//! Nothing yet: the targets, one for each format that is parsed, come here.
