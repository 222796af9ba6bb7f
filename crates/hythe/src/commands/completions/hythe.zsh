#compdef hythe
# Completion of `hythe` for zsh: put this into a file _hythe in a folder of $fpath, or
# source <(hythe completions zsh) after compinit

_hythe() {
    local -a offers ended open ended_shown open_shown
    local offer value shown
    offers=("${(@f)$(${~words[1]} complete -- "${(@)words[1,CURRENT-1]}" "$PREFIX" 2>/dev/null)}")
    for offer in $offers; do
        value=${offer%%$'\t'*}
        shown=$value
        [[ $offer == *$'\t'* ]] && shown="$value  -- ${offer#*$'\t'}"
        # A name goes on after these.
        if [[ $value == *[/:=] ]]; then
            open+=("$value") open_shown+=("$shown")
        elif [[ -n $value ]]; then
            ended+=("$value") ended_shown+=("$shown")
        fi
    done
    local -i found=1
    (( $#ended )) && compadd -l -d ended_shown -a ended && found=0
    (( $#open )) && compadd -l -S '' -d open_shown -a open && found=0
    return found
}

if [[ $funcstack[1] == _hythe ]]; then
    _hythe "$@"
else
    compdef _hythe hythe
fi
