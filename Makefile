# The short names of common work; CMake does it.  `make help` lists them.
BUILD ?= build
CMAKE_FLAGS ?=

.PHONY: all
all: ## build everything into build/
	@cmake -S . -B $(BUILD) $(CMAKE_FLAGS) >/dev/null
	@cmake --build $(BUILD) -j"$$(nproc)"
