/* temp_dir.h - a directory for one test, gone with everything in it afterwards. */
#ifndef EDS_TESTS_SUPPORT_TEMP_DIR_H
#define EDS_TESTS_SUPPORT_TEMP_DIR_H

#define EDS_TEMP_DIR_SIZE 256u /* bytes, NUL included */

/* temp_dir_make makes an empty directory under $TMPDIR or /tmp; a failure ends
 * the program. */
void temp_dir_make(char path[EDS_TEMP_DIR_SIZE]);

/* temp_dir_remove removes it, whatever it holds. */
void temp_dir_remove(const char *path);

#endif
