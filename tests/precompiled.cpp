// Holds nothing: the target that this file belongs to compiles the precompiled header of all tests.
