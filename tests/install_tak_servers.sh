#!/usr/bin/env bash
# TAK servers of other makers, for the tests that are marked optional_server. Into a folder of its
# own, from the package index alone; OpenTAKServer also needs RabbitMQ and PostGIS of the system.
set -euo pipefail
folder="$1"
mkdir -p "$folder"
cd "$folder"

python() { # of that version, on the path or among pyenv's
    command -v "python$1" >/dev/null && "python$1" -c '' 2>/dev/null && { command -v "python$1"; return; }
    compgen -G "$HOME/.pyenv/versions/$1.*/bin/python" | tail -n 1
}

install() { # version of Python, name, requirements
    local found
    found=$(python "$1") || true
    if [[ -z $found ]]; then
        echo "$2 needs Python $1, which is not here: left out"
        return 1
    fi
    "$found" -m venv --clear "$2"
    "$2/bin/python" -m pip install --quiet --disable-pip-version-check "${@:3}"
    echo "$2: installed"
}

if install 3.11 fts 'FreeTAKServer==2.2.1' 'setuptools<70' \
    'opentelemetry-sdk==1.20.0' 'opentelemetry-api==1.20.0'; then
    # It keeps to one folder and to every address of the machine, whatever it is told.
    package=$(echo fts/lib/python*/site-packages/FreeTAKServer)
    sed -i "s#^PERSISTENCE_PATH = .*#PERSISTENCE_PATH = os.environ['FTS_PERSISTENCE_PATH']#" \
        "$package/core/configuration/MainConfig.py"
    grep -rlF '0.0.0.0' "$package" --include='*.py' | xargs sed -i 's/0\.0\.0\.0/127.0.0.1/g'
fi
install 3.12 ots 'OpenTAKServer==1.7.14' || true
