//! VST3 hosts from PyPI, each a script that exits with 0 when everything it checks holds.
