//! A turn's own item.

use app::domain::TurnId;

use super::{
    Store, StoreError, TurnItem, TurnState,
    attr::{Item, Reader, Writer, key},
    keys,
    request::less,
};

pub(super) fn turn_key(id: TurnId) -> Item {
    key(keys::turn_pk(id), keys::TURN)
}

pub(super) fn write_turn(turn: &TurnItem) -> Result<Item, StoreError> {
    let item = Writer::new(keys::turn_pk(turn.id), keys::TURN)
        .s("owner", turn.owner)
        .s("session", turn.session)
        .s("parent", turn.parent)
        .n("depth", turn.depth)
        .s("model", turn.model.as_str())
        .word("state", &turn.state)?
        .n("claims", turn.claims)
        .opt_s("continues", turn.continues)
        .opt_n("variant", turn.variant)
        .time("created", turn.created_at)
        .n("v", turn.v)
        .n("ttl", turn.ttl);
    Ok(match turn.state {
        TurnState::Open => {
            item.s("open", keys::turn_shard(turn.id)).s("since", keys::turn_since(turn.created_at)).done()
        }
        TurnState::Done => item
            .opt_json("bases", Some(&turn.bases))?
            .opt_json("usage", Some(&turn.usage))?
            .opt_word("outcome", turn.outcome.as_ref())?
            .opt_s("stop", turn.stop_reason.as_deref())
            .opt_json("error", turn.error.as_ref())?
            .opt_json("timing", turn.timing.as_ref())?
            .n("total", turn.total)
            .done(),
    })
}

pub(super) fn read_turn(item: Item) -> Result<TurnItem, StoreError> {
    let mut r = Reader::new(item);
    Ok(TurnItem {
        id: r.id("TURN#")?,
        owner: r.parse("owner")?,
        session: r.parse("session")?,
        parent: r.parse("parent")?,
        depth: r.n("depth")?,
        model: r.s("model")?,
        state: r.word("state")?,
        claims: r.n("claims")?,
        continues: r.opt_parse("continues")?,
        variant: r.opt_n("variant")?,
        created_at: r.time("created")?,
        bases: r.opt_json("bases")?.unwrap_or_default(),
        usage: r.opt_json("usage")?.unwrap_or_default(),
        outcome: r.opt_word("outcome")?,
        stop_reason: r.opt_s("stop")?,
        error: r.opt_json("error")?,
        timing: r.opt_json("timing")?,
        total: r.opt_n("total")?.unwrap_or_default(),
        v: r.n("v")?,
        ttl: r.n("ttl")?,
    })
}

impl Store {
    /// A turn, strongly consistent; an expired one is none.
    ///
    /// # Errors
    /// As every read.
    pub async fn turn(&self, id: TurnId) -> Result<Option<TurnItem>, StoreError> {
        let now = self.now_seconds();
        let item = self.get("reading a turn", turn_key(id)).await?;
        item.filter(|i| !less(i, "ttl", now)).map(read_turn).transpose()
    }
}
