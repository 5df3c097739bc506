#!/bin/bash
# Runs three gateways (a normal, an empty and a failing one) with a broker, asks them in a terminal of 80 columns, and prints what
# Documentation/CommandLine.md shows. Fails if a line is wider than 80 columns. Needs mosquitto, mosquitto-clients and tmux.
#   Documentation/capture-command-line.sh .build/debug/covey
set -u
program=$(realpath "$1")
export LC_ALL=C.UTF-8 TZ=UTC
work=$(mktemp -d /tmp/covey-capture-XXXXXX)
children=()
screen="tmux -S $work/tmux"
trap 'for child in "${children[@]}"; do kill "$child" 2>/dev/null; done; $screen kill-server 2>/dev/null; wait; rm -rf "$work"' EXIT
port=$((20000 + RANDOM % 10000))
mkdir "$work/normal" "$work/empty" "$work/failing" "$work/bin"
ln -s "$program" "$work/bin/covey"

gateway() { # NAME: starts it and waits until it answers
    "$program" run --config "$work/$1/covey.toml" >"$work/$1/log" 2>&1 &
    children+=($!)
    for _ in $(seq 100); do
        "$program" version >/dev/null
        "$program" devices --socket "$work/$1/s" >/dev/null 2>&1 && return
        sleep 0.1
    done
    echo "the gateway $1 did not start:" >&2; cat "$work/$1/log" >&2; exit 1
}

head() { # NAME: the tables that every configuration begins with
    cat <<END
[gateway]
name = "$1"
data_dir = "$work/$1/data"
clock = "always"
[api]
socket = "$work/$1/s"
[storage]
ring_size = "32 MiB"
commit_window = "250 ms"
END
}

simulated() { # ID METRIC UNIT WAVE [MORE]
    printf '[[device]]\nid = "%s"\ndriver = "simulated"\nmetric = "%s"\nunit = "%s"\nwave = "%s"\ninterval = "200 ms"\n%b\n' "$1" "$2" "$3" "$4" "${5:-}"
}

{   head normal
    printf '[[broker]]\nname = "local"\nurl = "mqtt://127.0.0.1:%s"\n' "$port"
    printf '[[device]]\nid = "{device}"\ndriver = "mqtt"\ntopic = "tele/{device}/SENSOR"\ndecoder = "tasmota"\n'
    simulated tide level m sine 'period = "6 s"\nmean = 3.0\namplitude = 1.5'
    simulated greenhouse-a-soil-moisture-bed-14 moisture % noise 'mean = 41.0\nnoise = 0.4'
    simulated 温室センサー 温度 °C sine 'period = "20 s"\nmean = 21.0'
    simulated water-meter litres l counter
    printf '[[upload]]\nname = "archive"\nsink = "file"\npath = "%s/archive.jsonl"\n' "$work/normal"
} >"$work/normal/covey.toml"
head empty >"$work/empty/covey.toml"
failing() {
    head failing
    simulated tide level m sine 'period = "6 s"\nmean = 3.0\namplitude = 1.5'
    printf '[[broker]]\nname = "local"\nurl = "mqtt://127.0.0.1:1"\n'
    printf '[[device]]\nid = "{device}"\ndriver = "mqtt"\ntopic = "tele/{device}/SENSOR"\ndecoder = "tasmota"\n'
    printf '[[device]]\nid = "door"\ndriver = "gpio"\nchip = "gpiochip9"\nline = 3\n'
    printf '[[upload]]\nname = "cloud"\nsink = "http"\nurl = "http://127.0.0.1:1/v1/readings"\n'
}
failing >"$work/failing/covey.toml"

printf 'listener %s 127.0.0.1\nallow_anonymous true\n' "$port" >"$work/mosquitto.conf"
/usr/sbin/mosquitto -c "$work/mosquitto.conf" >/dev/null 2>&1 &
children+=($!)

# The failing gateway has a damaged ring besides: one life writes it, then a block of it is spoilt.
gateway failing
sleep 3
kill "${children[-1]}"; wait "${children[-1]}"
at=$(grep -abo 'tide' "$work/failing/data/ring" | sed -n '1s/:.*//p')
printf 'spoilt' | dd of="$work/failing/data/ring" bs=1 seek=$((at + 40)) conv=notrunc status=none

gateway normal; gateway empty; gateway failing
for number in $(seq 12); do
    mosquitto_pub -p "$port" -t tele/soil-3/SENSOR \
        -m "{\"Time\":\"2026-01-01T00:00:00\",\"DS18B20\":{\"Temperature\":$((15 + number % 5)).$number},\"TempUnit\":\"C\"}"
    sleep 0.4
done
mosquitto_pub -p "$port" -t tele/soil-3/SENSOR -m 'no JSON'
sleep "${SETTLE:-8}"

wide=0
shot() { # GATEWAY ROWS COMMAND [SECONDS]: what the terminal shows
    $screen new-session -d -x 80 -y "$2" "env PATH=$work/bin:/usr/bin:/bin COVEY_SOCKET=$work/$1/s TZ=UTC LC_ALL=C.UTF-8 \
        sh -c 'trap : INT; $3; tmux -S $work/tmux wait-for -S done; sleep 60'" 2>/dev/null
    if [ -n "${4:-}" ]; then sleep "$4"; $screen send-keys C-c; fi
    timeout 20 $screen wait-for done
    sleep 0.2
    $screen capture-pane -p | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' | sed "s|$work|/tmp|g" >"$work/shot"
    $screen kill-server; sleep 0.2
    # The same on a pipe: there a line that is too wide is not wrapped by the terminal, and shows.
    case $3 in *tail*) ;; *)
        PATH=$work/bin:$PATH COVEY_SOCKET=$work/$1/s sh -c "$3" 2>"$work/errors" >"$work/piped"
        widest=$(wc -L <"$work/piped")
        if [ "$widest" -gt 80 ]; then wide=1; echo "WIDE: $3 has $widest columns" >&2; fi
    esac
    printf '```\n$ %s\n' "${3//$work//tmp}"; cat "$work/shot"; printf '```\n'
}

for name in normal empty failing; do
    printf '### A gateway that is %s\n' "$name"
    shot $name 50 'covey status'
    shot $name 24 'covey devices'
    shot $name 24 'covey uploads'
    shot $name 24 'covey latest'
    shot $name 24 'covey tail tide' 2
    shot $name 24 'covey query --since "1 min" --limit 6'
done
printf '### Rings and windows\n'
shot normal 24 'covey query tide --since "1 min" --every "5 s"'
shot normal 24 'covey ring info'
shot failing 24 "covey ring info"
shot failing 24 "covey ring verify --data-dir $work/failing/data"
shot failing 24 'covey ring repair'
kill "${children[-1]}"; wait "${children[-1]}"
printf 'spoilt' | dd of="$work/failing/data/ring" bs=1 seek=$(((1024 + 30) * 4096 + 100)) conv=notrunc status=none
shot failing 24 "covey ring repair --data-dir $work/failing/data"
[ $wide = 0 ] && echo "no line is wider than 80 columns" >&2
exit $wide
