module sightline/pod

go 1.24.0
