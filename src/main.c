/* main.c - the eds command. */
#include "cli/run.h"

int main(int argc, char **argv)
{
    return eds_run(argc, argv);
}
