"""bash at the terminal: what a person does all day."""
import time

from nos.scenario import CheckFailed, Guest, assert_equal


def test_pipelines(guest: Guest) -> None:
    guest.check("printf '%s\\n' pear apple fig | sort | tr a-z A-Z | head -n 2", "APPLE\nFIG")
    guest.check("seq 1 100000 | grep -c 7", "40951")
    guest.check("yes | head -c 1000000 | wc -c", "1000000")
    guest.check("set -o pipefail; false | true; echo $?; set +o pipefail", "1")
    guest.check("(exit 3) | (exit 5) | true; echo ${PIPESTATUS[@]}", "3 5 0")
    guest.check("diff <(seq 1 3) <(seq 2 4)", "1d0\n< 1\n3a3\n> 4", status=1)


def test_here_documents(guest: Guest) -> None:
    guest.check("name=world\ncat <<END\nhello $name $((6 * 7))\nEND", "hello world 42")
    guest.check("cat <<'END'\n$HOME stays\nEND", "$HOME stays")
    guest.check("printf 'cat <<-END\\n\\tindented\\n\\tEND\\n' > /tmp/h; bash /tmp/h", "indented")
    guest.check("tr a-z A-Z <<< 'here string'", "HERE STRING")


def test_redirections(guest: Guest) -> None:
    guest.check("cd /tmp; echo one > r; echo two >> r; cat < r", "one\ntwo")
    guest.check("ls /nonexistent 2> /tmp/err; echo $?; wc -l < /tmp/err", "2\n1")
    guest.check("exec 5> /tmp/five; echo via five >&5; exec 5>&-; cat /tmp/five", "via five")
    guest.check("set -C; echo x > /tmp/five; echo $?; set +C", pattern="cannot overwrite existing file")
    guest.check("{ echo out; echo err >&2; } 2>&1 >/dev/null", "err")
    guest.check("cd", "")


def test_expansion(guest: Guest) -> None:
    guest.check("mkdir -p /tmp/g && cd /tmp/g && touch a1 a2 b1 && echo a* ?1 [ab]1", "a1 a2 a1 b1 a1 b1")
    guest.check("echo {a,b}{1..3} $(echo sub) `echo back`", "a1 a2 a3 b1 b2 b3 sub back")
    guest.check("x=hello.tar.gz; echo ${x%.gz} ${x##*.} ${#x} ${x/hello/bye} ${x^^}", "hello.tar gz 12 bye.tar.gz HELLO.TAR.GZ")
    guest.check("declare -A m=([k]=v); a=(1 2 3); echo ${m[k]} ${a[@]:1} ${#a[@]}; cd", "v 2 3 3")


def test_interrupt(guest: Guest) -> None:
    guest.type("sleep 1000\n")
    wait_for_foreground(guest)
    guest.control("C")
    guest.expect_prompt()
    guest.type("echo status $?\n")
    guest.expect("status 130")
    guest.expect_prompt()
    guest.type("while :; do :; done\n")
    wait_for_foreground(guest)
    guest.control("C")
    guest.expect_prompt()
    guest.check("echo alive", "alive")


def wait_for_foreground(guest: Guest) -> None:
    """The echo of the line is on the screen once bash has read it; what it starts follows within moments."""
    guest.expect(r"\n")
    time.sleep(1.5)


def test_job_control(guest: Guest) -> None:
    guest.type("sleep 987\n")
    wait_for_foreground(guest)
    guest.control("Z")
    guest.expect(r"\[1\]\+\s+Stopped\s+sleep 987")
    guest.expect_prompt()
    guest.check("jobs", pattern=r"\[1\]\+\s+Stopped\s+sleep 987")
    guest.check("ps -o stat= -p $(pgrep -x sleep)", pattern=r"^T")
    guest.check("bg", pattern=r"\[1\]\+ sleep 987 &")
    guest.check("jobs", pattern=r"\[1\]\+\s+Running\s+sleep 987")
    guest.type("fg\n")
    wait_for_foreground(guest)
    guest.control("C")
    guest.expect_prompt()
    guest.check("jobs", "")
    guest.check("pgrep -x sleep", "", status=1)


def test_background_jobs(guest: Guest) -> None:
    guest.check("sleep 0.3 & wait $!; echo waited $?", pattern="waited 0")
    guest.check("(exit 7) & wait $!; echo $?", pattern="^7$")
    guest.check("sleep 100 & kill %1; wait %1; echo $?", pattern="^143$")
    guest.check("for i in 1 2 3 4; do (sleep $((i / 2)).$((i % 2 * 5)); echo $i) & done; wait", pattern=r"1\n(.*\n)*2\n(.*\n)*3\n(.*\n)*4")
    # The group of a stopped pipeline gets the signal, not its first process alone. When they are gone before fg looks, the shell
    # has their end still to tell, which jobs does.
    guest.type("cat | cat | cat\n")
    wait_for_foreground(guest)
    guest.control("Z")
    guest.expect("Stopped")
    guest.expect_prompt()
    guest.check("{ kill %1; fg; jobs; } >/dev/null 2>&1; pgrep -x cat", "", status=1)


def test_background_reader_stops(guest: Guest) -> None:
    guest.type("cat &\n")
    guest.expect(r"\[1\] \d+")
    guest.expect_prompt()
    guest.check("sleep 0.5; jobs", pattern=r"Stopped\s+cat")
    guest.check("kill %1; kill -CONT %1; wait %1 2>/dev/null; sleep 0.2; jobs >/dev/null; echo gone", pattern="gone")


def test_traps(guest: Guest) -> None:
    guest.check("bash -c 'trap \"echo got TERM; exit 4\" TERM; kill -TERM $$; sleep 5'", "got TERM", status=4)
    guest.check("bash -c 'trap \"echo bye\" EXIT; exit 3'", "bye", status=3)
    guest.check("bash -c 'trap \"\" INT; kill -INT $$; echo survived'", "survived")
    guest.check("bash -c 'trap \"echo usr1\" USR1; (sleep 0.3; kill -USR1 $$) & sleep 5 & wait $!; echo $?; kill %2 2>/dev/null'", pattern="usr1\n138")
    guest.check("bash -c 'trap \"echo err\" ERR; false; true'", "err")
    guest.check("bash -c 'trap \"echo child\" CHLD; true | true; /bin/true; :'", pattern="child")


def test_terminal_settings(guest: Guest) -> None:
    guest.check("tty", pattern=r"^/dev/(@CONSOLE@|console|pts/\d+)$")
    guest.check("stty -a", pattern=r"rows 40; columns 200")
    guest.check("stty rows 33 cols 111; stty size; stty rows 40 cols 200", "33 111")
    guest.type("read -s secret; echo \"got <$secret>\"\n")
    wait_for_foreground(guest)  # until then the terminal echoes
    guest.type("hidden\n")
    seen = guest.expect_prompt()
    if "got <hidden>" not in seen or seen.count("hidden") != 1:
        raise CheckFailed(f"read -s showed {seen!r}")


def test_line_editing(guest: Guest) -> None:
    """readline on the terminal: moving, deleting, history, completion."""
    guest.type("echo abd\x1b[Dc\x05 end\n")  # left arrow, insert, Ctrl-E
    assert_equal(guest.expect(r"\n(abcd end)\r?\n").group(1), "abcd end", "edited line")
    guest.expect_prompt()
    guest.type("echo wrong\x15echo right\n")  # Ctrl-U
    guest.expect(r"\nright\r?\n")
    guest.expect_prompt()
    guest.type("\x10\n")  # Ctrl-P: the line before
    guest.expect(r"\nright\r?\n")
    guest.expect_prompt()
    guest.type("cat /etc/hostn\t\n")  # completed to hostname
    guest.expect(r"\nnos\r?\n")
    guest.expect_prompt()


def test_canonical_input(guest: Guest) -> None:
    """The kernel's own line editing: erase, kill, end of file."""
    guest.type("cat > /tmp/typed\n")
    wait_for_foreground(guest)
    guest.type("wrox\x7fng\x15right line\n")  # erase a letter, kill the line
    guest.type("second\x04\x04")  # Ctrl-D ends the read, the second one ends the file
    guest.expect_prompt()
    guest.check("cat /tmp/typed; echo", pattern="^right line\nsecond$")


def test_scripts(guest: Guest) -> None:
    guest.write_file("/tmp/script", "#!/bin/bash -e\n# a function, a loop, getopts, arithmetic\nf() { local n=$1; ((n < 2)) && { echo 1; return; }; echo $((n * $(f $((n - 1))))); }\nwhile getopts 'n:' o; do [ $o = n ] && n=$OPTARG; done\nf $n\n")
    guest.check("chmod +x /tmp/script && /tmp/script -n 10", "3628800")
    guest.check("coproc cat; echo ping >&${COPROC[1]}; read -u ${COPROC[0]} x; echo $x; kill $COPROC_PID; wait 2>/dev/null", pattern="ping")
    guest.check("time -p true", pattern=r"real \d+\.\d+\nuser \d+\.\d+\nsys \d+\.\d+")


def test_exit_status_of_signals(guest: Guest) -> None:
    guest.check("bash -c 'kill -SEGV $$'", pattern="", status=139)
    guest.check("bash -c 'kill -KILL $$'", pattern="", status=137)
    guest.check("timeout 0.5 sleep 10", status=124)
    guest.check("timeout -s KILL 0.5 sleep 10", status=137)
