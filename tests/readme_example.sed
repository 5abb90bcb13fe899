# Prints the C program of README.md.
/^```c$/,/^```$/{
/^```/d
p
}
