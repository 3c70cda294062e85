"""How permits and trades of a bot are named."""

from shared.ids import Ids, SystemIds


class OrderIds:
    """Names permit and trade after the order that they are about: `permit-<client order id>`. So an intent that is
    carried out again, by another process too, finds what it left."""

    def __init__(self, others: Ids | None = None) -> None:
        self.client_order_id: str | None = None
        self._others = others or SystemIds()

    def new(self, kind: str) -> str:
        return self._others.new(kind) if self.client_order_id is None else f"{kind}-{self.client_order_id}"
