#!/bin/sh
# The tests of this tree need none of the programs that would stand here.
echo /nonexistent
