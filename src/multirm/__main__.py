from multirm.cli import main

main()
