#!/bin/bash
# The completion scripts in the shells that are here: bash always, fish and zsh
# where they are installed.  Commands and options come from the tables, so a few
# lines stand for all; that every option is offered is checked for all.
. "$EDS_SOURCE/tests/support/cli.sh"
ln -s "$EDS" eds
PATH=$work:$PATH

expect 0 eds completions bash
printf '%s\n' "$out" >eds.bash
. ./eds.bash
complete_in_bash() { # WORDS... the last one is being typed
    COMP_WORDS=(eds "$@") COMP_CWORD=$# COMPREPLY=()
    _eds
    out="${COMPREPLY[*]}"
    last="bash: eds $*"
    count=$((count + 1))
}
complete_in_bash au
prints_exactly audit
complete_in_bash audit key
prints_exactly keygen
complete_in_bash key
prints_exactly keygen
complete_in_bash ledger ""
prints verify
complete_in_bash audit ledger verify --da
prints_exactly --data-dir
complete_in_bash verify-chain --format ""
prints_exactly "array ndjson compact"
complete_in_bash verify-chain --format nd
prints_exactly ndjson
complete_in_bash verify-chain --records-file "" # a file: bash's own completion
prints_exactly ""
complete_in_bash sign-record --device-id keygen --se # a value is no command
prints_exactly --sequence
complete_in_bash completions z
prints_exactly zsh

# Every option that help names is offered.
for name in $(eds audit --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p'); do
    for option in $(eds "$name" --help | sed -n 's/^      \(--[a-z-]*\).*/\1/p'); do
        complete_in_bash "$name" "$option"
        prints "$option"
    done
done

if command -v fish >/dev/null; then
    eds completions fish >eds.fish
    in_fish() { fish --no-config -c 'source eds.fish; complete -C "$argv[1]"' "$1" | cut -f1; }
    expect 0 in_fish "eds audit key"
    prints_exactly keygen
    expect 0 in_fish "eds verify-chain --format n"
    prints_exactly ndjson
    expect 0 in_fish "eds ledger verify --data"
    prints_exactly --data-dir
    expect 0 in_fish "eds keygen --forc"
    prints_exactly --force
else
    echo "fish is not installed: not tried"
fi
if command -v zsh >/dev/null; then
    eds completions zsh >eds.zsh
    cat >drive.zsh <<'END'
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1=; autoload -Uz compinit; compinit -u -d ./dump; source eds.zsh; echo lo""aded'
zpty -r shell got '*loaded*'
for line in 'eds audit key' 'eds verify-chain --format nd' 'eds ledger ver'; do
    zpty -w -n shell $'\C-u'"$line"$'\t'
    repeat 600; do
        sleep 0.1
        zpty -r -t shell got && print -r -- "$got"
        [[ $got = *(keygen|ndjson|verify)* ]] && break
    done
done
END
    expect 0 timeout 300 zsh -f drive.zsh
    prints "audit keygen"
    prints "ndjson"
    prints "ledger verify"
else
    echo "zsh is not installed: not tried"
fi
echo "$count completions, all as expected"
