/* replay.c - runs a fuzz target on every file of the folders given, so that its
 * corpus is worth something without a fuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t data[1 << 20];

static unsigned replay_folder(const char *folder)
{
    struct dirent *entry;
    unsigned count = 0;
    DIR *dir = opendir(folder);

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char path[1024];
        FILE *file;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        file = fopen(path, "rb");
        if (file == NULL) {
            perror(path);
            exit(1);
        }
        LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof data, file));
        fclose(file);
        count++;
    }
    if (dir != NULL)
        closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;

    LLVMFuzzerTestOneInput(data, 0);
    for (int i = 1; i < argc; i++)
        count += replay_folder(argv[i]);
    printf("%u files replayed\n", count);
    return count > 0 ? 0 : 1; /* an empty corpus is a mistake, not a success */
}
