using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using TaskQueue.Engine.Audit;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Quotas;

namespace TaskQueue.Storage;

/// <summary>Maps the tables of keys, quotas, audit and quarantine.</summary>
internal static class AccessTables
{
    private const int NameLength = 128;

    public static void Map(ModelBuilder model)
    {
        model.Entity<ApiKeyRecord>(MapKeys);
        model.Entity<SessionKey>(e =>
        {
            e.ToTable("session_keys").HasKey(x => x.Number);
            e.Property(x => x.Number).HasColumnName("number").ValueGeneratedNever();
            e.Property(x => x.Text).HasColumnName("text");
            e.Property(x => x.CreatedAt).HasColumnName("created_at");
        });
        model.Entity<AuditRecord>(MapAudit);
        model.Entity<QuarantinedItem>(MapQuarantine);
        model.Entity<TenantUsage>(e =>
        {
            e.ToTable("tenant_usage").HasKey(x => new { x.Tenant, x.Resource, x.Process });
            e.Property(x => x.Tenant).HasColumnName("tenant").HasMaxLength(NameLength);
            e.Property(x => x.Resource).HasColumnName("resource").HasMaxLength(64);
            e.Property(x => x.Process).HasColumnName("process").HasMaxLength(NameLength);
            e.Property(x => x.Amount).HasColumnName("amount");
            e.Property(x => x.UpdatedAt).HasColumnName("updated_at");
        });
        model.Entity<WebhookReceiver>(e =>
        {
            e.ToTable("webhook_receivers").HasKey(x => new { x.Owner, x.Origin });
            e.Property(x => x.Owner).HasColumnName("owner").HasMaxLength(NameLength);
            e.Property(x => x.Origin).HasColumnName("origin").HasMaxLength(300);
            e.Property(x => x.VerifiedAt).HasColumnName("verified_at");
            e.Property(x => x.ChallengedAt).HasColumnName("challenged_at");
        });
    }

    private static void MapKeys(EntityTypeBuilder<ApiKeyRecord> e)
    {
        e.ToTable("api_keys").HasKey(x => x.Id);
        e.Property(x => x.Id).HasColumnName("id").ValueGeneratedNever();
        e.Property(x => x.Name).HasColumnName("name").HasMaxLength(NameLength);
        e.Property(x => x.Tenant).HasColumnName("tenant").HasMaxLength(NameLength);
        e.Property(x => x.Hash).HasColumnName("hash").HasMaxLength(64);
        e.Property(x => x.PreviousHash).HasColumnName("previous_hash").HasMaxLength(64);
        e.Property(x => x.PreviousUntil).HasColumnName("previous_until");
        e.Property(x => x.ScopesText).HasColumnName("scopes");
        e.Property(x => x.QueuesText).HasColumnName("queues");
        e.Property(x => x.RateText).HasColumnName("rate");
        e.Property(x => x.QuotaText).HasColumnName("quota");
        e.Property(x => x.ExpiresAt).HasColumnName("expires_at");
        e.Property(x => x.CreatedAt).HasColumnName("created_at");
        e.Property(x => x.CreatedBy).HasColumnName("created_by").HasMaxLength(NameLength);
        e.Property(x => x.LastUsedAt).HasColumnName("last_used_at");
        e.Property(x => x.RevokedAt).HasColumnName("revoked_at");
        e.HasIndex(x => x.Hash, "ix_api_keys_hash").IsUnique();
    }

    private static void MapAudit(EntityTypeBuilder<AuditRecord> e)
    {
        e.ToTable("audit").HasKey(x => x.Id);
        e.Property(x => x.Id).HasColumnName("id").ValueGeneratedOnAdd();
        e.Property(x => x.At).HasColumnName("at");
        e.Property(x => x.Actor).HasColumnName("actor").HasMaxLength(NameLength);
        e.Property(x => x.Tenant).HasColumnName("tenant").HasMaxLength(NameLength);
        e.Property(x => x.Action).HasColumnName("action").HasMaxLength(64);
        e.Property(x => x.Target).HasColumnName("target").HasMaxLength(512);
        e.Property(x => x.Before).HasColumnName("before");
        e.Property(x => x.After).HasColumnName("after");
        e.Property(x => x.Address).HasColumnName("address").HasMaxLength(64);
        e.Property(x => x.Result).HasColumnName("result").HasMaxLength(512);
        e.HasIndex(x => x.At, "ix_audit_at");
        e.HasIndex(x => new { x.Tenant, x.Id }, "ix_audit_tenant");
    }

    private static void MapQuarantine(EntityTypeBuilder<QuarantinedItem> e)
    {
        e.ToTable("quarantine").HasKey(x => x.Id);
        e.Property(x => x.Id).HasColumnName("id").ValueGeneratedOnAdd();
        e.Property(x => x.Kind).HasColumnName("kind").HasMaxLength(32);
        e.Property(x => x.Subject).HasColumnName("subject").HasMaxLength(NameLength);
        e.Property(x => x.Queue).HasColumnName("queue").HasMaxLength(NameLength);
        e.Property(x => x.Owner).HasColumnName("owner").HasMaxLength(NameLength);
        e.Property(x => x.Reason).HasColumnName("reason");
        e.Property(x => x.State).HasColumnName("state");
        e.Property(x => x.At).HasColumnName("at");
        e.Property(x => x.Count).HasColumnName("count");
        e.HasIndex(x => new { x.Kind, x.Subject }, "ix_quarantine_subject").IsUnique();
    }
}
