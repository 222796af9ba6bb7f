# Completion of `hythe` for fish: hythe completions fish | source

complete --command hythe --no-files --arguments '(hythe complete -- (commandline --cut-at-cursor --tokenize --current-process) (commandline --cut-at-cursor --current-token) 2>/dev/null)'
