# Run by the workflow pages.yml, with owner/name as GITHUB_REPOSITORY: sets the address in the
# links to that of this repository. If that changes anything, commits and pushes it.
set -eu

make colab REPOSITORY="$GITHUB_REPOSITORY"
if git diff --quiet; then
    exit
fi
git -c user.name="github-actions[bot]" \
    -c user.email="41898282+github-actions[bot]@users.noreply.github.com" \
    commit --quiet --all --message "Links lead to $GITHUB_REPOSITORY"
# The branch may be protected. What follows ::warning:: is shown on the page of the run.
git push --quiet origin HEAD:main ||
    echo "::warning::The push of the new links was refused: run \`make colab" \
        "REPOSITORY=$GITHUB_REPOSITORY\` and commit what it changes to main."
