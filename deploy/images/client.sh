#!/bin/sh
# Collects pg_dump and pg_restore into a folder, in PostgreSQL's own image: sh client.sh FOLDER
# With them comes every library that they load, the dynamic loader included: the image that they go
# to has an older C library. FOLDER/bin/pg_dump starts the one with the others.
set -eu
out=$1
bin=
for each in /usr/lib/postgresql/*/bin /usr/local/bin; do
    if [ -x "$each/pg_dump" ]; then bin=$each; fi
done
mkdir -p "$out/bin" "$out/lib" "$out/libexec"
for program in pg_dump pg_restore; do
    cp "$bin/$program" "$out/libexec/$program"
    # Lines such as: libpq.so.5 => /usr/lib/libpq.so.5 (0x1), and of the loader: /lib/ld.so.2 (0x1).
    ldd "$bin/$program" | while read -r name arrow path _; do
        case "$name $arrow $path" in
            /*) cp -L "$name" "$out/lib/ld.so" ;;
            *" => /"*) cp -L "$path" "$out/lib/$name" ;;
            *" => "*) echo "$program needs $name, which is not here" >&2; exit 1 ;;
        esac
    done
    cat >"$out/bin/$program" <<END
#!/bin/sh
exec $out/lib/ld.so --library-path $out/lib $out/libexec/$program "\$@"
END
    chmod 0755 "$out/bin/$program"
    "$out/bin/$program" --version
done
