from typing import Any

from app.errors import Conflict
from app.models.shop import Coupon
from app.services.resource import ResourceService


class CouponService(ResourceService[Coupon]):
    """A coupon does not become worth less, and is printed in capitals."""

    model = Coupon

    async def before_update(self, row: Coupon, changes: dict[str, Any]) -> None:
        if changes.get("percent", row.percent) < row.percent:
            raise Conflict("A coupon does not become worth less")
        if "code" in changes:
            changes["printed"] = changes["code"].upper()
