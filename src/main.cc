#include "cli/cli.h"

int main(int argc, char** argv) { return latchkey::cli::Run(argc, argv); }
