/** Names that docstring examples of the public rooms use without declaring them. */
export {};
