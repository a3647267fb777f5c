import argparse


def add_parser(commands):
    parser = commands.add_parser("debug", help="")
