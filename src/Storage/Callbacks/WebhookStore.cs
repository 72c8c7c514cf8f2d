using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Callbacks;

namespace TaskQueue.Storage.Callbacks;

/// <summary>Table <c>webhook_receivers</c>.</summary>
internal sealed class WebhookStore(IDbContextFactory<TaskDbContext> databases) : IWebhookStore
{
    public async Task<WebhookReceiver?> FindAsync(string owner, string origin)
    {
        await using var db = await databases.CreateDbContextAsync();
        return await db.Set<WebhookReceiver>().AsNoTracking().SingleOrDefaultAsync(r => r.Owner == owner && r.Origin == origin);
    }

    public async Task<bool> TryChallengeAsync(string owner, string origin, DateTime now, DateTime before)
    {
        await using var db = await databases.CreateDbContextAsync();
        var receivers = db.Set<WebhookReceiver>();
        var mine = receivers.Where(r => r.Owner == owner && r.Origin == origin && (r.ChallengedAt == null || r.ChallengedAt <= before));
        if (await mine.ExecuteUpdateAsync(s => s.SetProperty(r => r.ChallengedAt, now)) > 0)
            return true;
        if (await receivers.AnyAsync(r => r.Owner == owner && r.Origin == origin))
            return false;
        receivers.Add(new WebhookReceiver { Owner = owner, Origin = origin, ChallengedAt = now });
        try
        {
            await db.SaveChangesAsync();
            return true;
        }
        catch (DbUpdateException)
        {
            return false; // inserted by another process
        }
    }

    public async Task VerifiedAsync(string owner, string origin, DateTime now)
    {
        await using var db = await databases.CreateDbContextAsync();
        await db.Set<WebhookReceiver>().Where(r => r.Owner == owner && r.Origin == origin)
            .ExecuteUpdateAsync(s => s.SetProperty(r => r.VerifiedAt, now));
    }
}
