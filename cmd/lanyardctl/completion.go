package main

import (
	"bytes"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newCompletion() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a completion script for a shell",
		Long: `Print a script that makes a shell complete lanyardctl's commands and flags, and the
IDs of sweeps. Nothing else has to be installed for it.

` + exitStatus,
		Example: `  source <(lanyardctl completion bash)
  lanyardctl completion fish > ~/.config/fish/completions/lanyardctl.fish`,
		Args:                  cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs:             []string{"bash", "zsh", "fish", "powershell"},
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return bashCompletion(root, out)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			}
			return root.GenPowerShellCompletionWithDesc(out)
		},
	}
}

// bashWithoutPackage is what cobra's script takes from the bash-completion package, for a bash that has none: the words
// up to the cursor, where a word may hold a "=" or a ":", and the names of files, of folders alone with -d, or with one
// of the endings. It has names of its own, so that no other script takes it for the package. Bash 3.2 runs it, too.
const bashWithoutPackage = `# What stands in for the bash-completion package where there is none.
__lanyardctl_words()
{
    local IFS=$' \t\n' line=${COMP_LINE:0:COMP_POINT}
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    cword=$((${#words[@]} - 1))
    cur=${words[cword]}
    prev=${words[cword - 1]}
}

__lanyardctl_filedir()
{
    if declare -F _filedir >/dev/null; then
        _filedir "$@"
        return
    fi
    local name
    [[ $(type -t compopt) == builtin ]] && compopt -o filenames
    while IFS= read -r name; do
        if [[ -d $name || -z ${1-} ]] || [[ "|$1" == *"|${name##*.}|"* ]]; then
            COMPREPLY+=("$name")
        fi
    done < <(compgen -f -- "$cur")
}

`

// bashCompletion writes cobra's script so that it works without the bash-completion package, too.
func bashCompletion(root *cobra.Command, out io.Writer) error {
	var script bytes.Buffer
	if err := root.GenBashCompletionV2(&script, true); err != nil {
		return err
	}
	text := strings.NewReplacer(
		`_get_comp_words_by_ref "$@" cur prev words cword`, "__lanyardctl_words",
		"_filedir", "__lanyardctl_filedir",
	).Replace(script.String())
	_, err := io.WriteString(out, bashWithoutPackage+text)
	return err
}

// plainUsages takes the marks out of the flags' descriptions that tell the help what a flag's value is called.
func plainUsages(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) { _, f.Usage = pflag.UnquoteUsage(f) })
	for _, child := range cmd.Commands() {
		plainUsages(child)
	}
}
