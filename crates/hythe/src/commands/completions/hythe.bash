# Completion of `hythe` for bash: source <(hythe completions bash)

_hythe() {
    local line=${COMP_LINE:0:COMP_POINT} program=${COMP_WORDS[0]/#\~/$HOME} current cut= offers
    current=${line##*[[:space:]]}
    mapfile -t offers < <("$program" complete --line "$line" 2>/dev/null)
    # What follows a tabulator explains an offer, which bash does not show.
    COMPREPLY=("${offers[@]%%$'\t'*}")
    # bash breaks words at these, and puts an offer only in the place of the last piece.
    if [[ $COMP_WORDBREAKS == *:* && $current == *:* ]]; then cut=${current%"${current##*:}"}; fi
    if [[ $COMP_WORDBREAKS == *=* && ${current#"$cut"} == *=* ]]; then cut=${current%"${current##*=}"}; fi
    if [[ -n $cut ]]; then COMPREPLY=("${COMPREPLY[@]#"$cut"}"); fi
    # A name goes on after these.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[/:=] ]]; then compopt -o nospace 2>/dev/null; fi
}

complete -F _hythe hythe
