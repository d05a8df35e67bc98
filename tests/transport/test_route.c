/* test_route.c - the grammar of a gateway's name and tags: each row is one edit away
 * from a valid one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "transport/route.h"

#define TEN      "0123456789"
#define SIXTY    TEN TEN TEN TEN TEN TEN
#define CENTURY  SIXTY TEN TEN TEN TEN
#define THIRTY_2 "abcdefghijklmnopqrstuvwxyz.-_012"

struct row {
    const char *text;
    bool is_good;
};

static const struct row gateways[] = {
    {"harbour-3", true}, {"A.b_C-9", true},         {"x", true},          {SIXTY "abcd", true},
    {"", false},         {SIXTY "abcde", false},    {"harbour 3", false}, {"a=b", false},
    {"a,b", false},      {"h\xc3\xa4rbour", false}, {"a\n", false},       {"a/b", false},
};

static const struct row tags[] = {
    {"site=harbour", true},
    {"site=harbour,line=A/3,by=ops@example.org,v=1.2+3,t=10:20", true},
    {THIRTY_2 "=1", true},
    {THIRTY_2 "3=1", false},
    {"k=" CENTURY TEN TEN "01234567", true},
    {"k=" CENTURY TEN TEN "012345678", false},
    {"a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,o=1,p=1", true},
    {"a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,o=1,p=1,q=1", false},
    {"a=1,ab=2", true},
    {"a=1,b=2,a=3", false},
    {"a=1,a=1", false},
    {"", false},
    {"site", false},
    {"site=", false},
    {"=harbour", false},
    {"Site=harbour", false},
    {"site=harbour,", false},
    {",site=harbour", false},
    {"site=harbour,,b=1", false},
    {"site=har bour", false},
    {"site=harbour, line=3", false},
    {"site=har\"bour", false},
    {"site=har=bour", false},
    {"site=harbour;line=3", false},
    {"site=\xc3\xa4", false},
};

static void names_and_tags_are_held_to_the_grammar(void **state)
{
    struct eds_error err;

    (void)state;
    for (size_t i = 0; i < sizeof gateways / sizeof gateways[0]; i++)
        if ((eds_route_check_gateway(gateways[i].text, &err) == EDS_OK) != gateways[i].is_good)
            fail_msg("gateway %s", gateways[i].text);
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        if ((eds_route_check_tags(tags[i].text, &err) == EDS_OK) != tags[i].is_good)
            fail_msg("tags %s", tags[i].text);
}

static void faults_are_named(void **state)
{
    struct eds_error err;

    (void)state;
    assert_int_equal(eds_route_check_tags("line=1,site=2,line=3", &err), EDS_ERR_USAGE);
    assert_string_equal(err.text, "the tag line is there twice");
    assert_int_equal(eds_route_check_tags("line=1,site", &err), EDS_ERR_USAGE);
    assert_string_equal(err.text, "a tag is KEY=VALUE, its key 1 to 32 of a-z 0-9 . _ -");
}

static void tags_add_up(void **state)
{
    struct eds_route route = {.gateway = ""};
    struct eds_error err;
    char long_tag[3 * EDS_ROUTE_TAGS_SIZE];

    (void)state;
    assert_int_equal(eds_route_add_tags(&route, "site=harbour", &err), EDS_OK);
    assert_int_equal(eds_route_add_tags(&route, "line=3,shift=b", &err), EDS_OK);
    assert_string_equal(route.tags, "site=harbour,line=3,shift=b");
    assert_int_equal(eds_route_add_tags(&route, "site=dock", &err), EDS_ERR_USAGE);
    assert_int_equal(eds_route_add_tags(&route, "", &err), EDS_ERR_USAGE);
    memset(long_tag, 'a', sizeof long_tag);
    long_tag[sizeof long_tag - 1] = '\0';
    assert_int_equal(eds_route_add_tags(&route, long_tag, &err), EDS_ERR_USAGE);
    /* Four of 130 bytes do not fit beside the others. */
    for (char key = 'a'; key < 'd'; key++) {
        char tag[] = "?=" CENTURY TEN TEN "01234567";

        tag[0] = key;
        assert_int_equal(eds_route_add_tags(&route, tag, &err), EDS_OK);
    }
    assert_int_equal(eds_route_add_tags(&route, "d=" CENTURY TEN TEN "01234567", &err),
                     EDS_ERR_USAGE);
    assert_string_equal(err.text, "tags have at most 512 bytes");
    assert_int_equal(strlen(route.tags), 27 + 3 * 131);
}

static void what_is_odd_is_left_out(void **state)
{
    struct eds_route route;

    (void)state;
    eds_route_take(&route, "harbour-3", "site=harbour");
    assert_string_equal(route.gateway, "harbour-3");
    assert_string_equal(route.tags, "site=harbour");
    eds_route_take(&route, "harbour 3", "site=harbour");
    assert_string_equal(route.gateway, "");
    assert_string_equal(route.tags, "site=harbour");
    eds_route_take(&route, "harbour-3", NULL);
    assert_string_equal(route.gateway, "harbour-3");
    assert_string_equal(route.tags, "");
    eds_route_take(&route, NULL, "site=\"");
    assert_string_equal(route.gateway, "");
    assert_string_equal(route.tags, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_tags_are_held_to_the_grammar),
        cmocka_unit_test(faults_are_named),
        cmocka_unit_test(tags_add_up),
        cmocka_unit_test(what_is_odd_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
