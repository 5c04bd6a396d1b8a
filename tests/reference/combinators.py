"""Cells made from cells."""


def stacked(*layers):
    """The sequence goes through one layer after the other."""

    def forward(params, carry, xs):
        carries = []
        for layer, layer_params, layer_carry in zip(layers, params, carry, strict=True):
            after, xs = layer(layer_params, layer_carry, xs)
            carries.append(after)
        return tuple(carries), xs

    return forward
