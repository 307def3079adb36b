import type { components } from "../../core/api";
import type { Http } from "../../core/http";

type Schemas = components["schemas"];

export type Member = Schemas["MemberListed"];
export type Role = Schemas["RoleOut"];
export type Invitation = Schemas["InvitationOut"];
export type Token = Schemas["TokenOut"];

/** The operations of an organisation's people, which these pages alone use. */
export class People {
  constructor(
    private readonly http: Http,
    private readonly org: string,
  ) {}

  async members(): Promise<Member[]> {
    const params = { path: { org: this.org } };
    const asked = this.http.ask((client) =>
      client.GET("/api/v1/organisations/{org}/members", { params }),
    );
    return (await asked).data;
  }

  async giveRole(member_id: string, role_id: string): Promise<Member> {
    const params = { path: { org: this.org, member_id } };
    const asked = this.http.ask((client) =>
      client.PATCH("/api/v1/organisations/{org}/members/{member_id}", {
        params,
        body: { role_id },
      }),
    );
    return (await asked).data;
  }

  async deactivate(member_id: string): Promise<void> {
    const params = { path: { org: this.org, member_id } };
    await this.http.ask((client) =>
      client.POST("/api/v1/organisations/{org}/members/{member_id}/deactivate", { params }),
    );
  }

  async reactivate(member_id: string): Promise<void> {
    const params = { path: { org: this.org, member_id } };
    await this.http.ask((client) =>
      client.POST("/api/v1/organisations/{org}/members/{member_id}/reactivate", { params }),
    );
  }

  /** The link, where it is to be handed over; `null`: it was mailed. */
  async resetPassword(member_id: string): Promise<string | null> {
    const params = { path: { org: this.org, member_id } };
    const asked = this.http.ask((client) =>
      client.POST("/api/v1/organisations/{org}/members/{member_id}/password-reset", { params }),
    );
    return (await asked).data.link;
  }

  async resetSecondFactor(member_id: string): Promise<void> {
    const params = { path: { org: this.org, member_id } };
    await this.http.ask((client) =>
      client.POST("/api/v1/organisations/{org}/members/{member_id}/second-factor/reset", {
        params,
      }),
    );
  }

  async roles(): Promise<Role[]> {
    const params = { path: { org: this.org } };
    const asked = this.http.ask((client) =>
      client.GET("/api/v1/organisations/{org}/roles", { params }),
    );
    return (await asked).data;
  }

  async makeRole(body: Schemas["MakeRole"]): Promise<Role> {
    const params = { path: { org: this.org } };
    const asked = this.http.ask((client) =>
      client.POST("/api/v1/organisations/{org}/roles", { params, body }),
    );
    return (await asked).data;
  }

  async changeRole(role_id: string, body: Schemas["RolePatch"]): Promise<Role> {
    const params = { path: { org: this.org, role_id } };
    const asked = this.http.ask((client) =>
      client.PATCH("/api/v1/organisations/{org}/roles/{role_id}", { params, body }),
    );
    return (await asked).data;
  }

  /** `instead`: the role that those with it get. */
  async deleteRole(role_id: string, instead: string | null): Promise<void> {
    const params = { path: { org: this.org, role_id }, query: { instead } };
    await this.http.ask((client) =>
      client.DELETE("/api/v1/organisations/{org}/roles/{role_id}", { params }),
    );
  }

  async invitations(): Promise<Invitation[]> {
    const params = { path: { org: this.org } };
    const asked = this.http.ask((client) =>
      client.GET("/api/v1/organisations/{org}/members/invitations", { params }),
    );
    return (await asked).data;
  }

  async invite(body: Schemas["Invite"]) {
    const params = { path: { org: this.org } };
    const asked = this.http.ask((client) =>
      client.POST("/api/v1/organisations/{org}/members/invitations", { params, body }),
    );
    return (await asked).data;
  }

  async inviteAgain(invitation_id: string) {
    const params = { path: { org: this.org, invitation_id } };
    const asked = this.http.ask((client) =>
      client.POST("/api/v1/organisations/{org}/members/invitations/{invitation_id}/send", {
        params,
      }),
    );
    return (await asked).data;
  }

  async revokeInvitation(invitation_id: string): Promise<void> {
    const params = { path: { org: this.org, invitation_id } };
    await this.http.ask((client) =>
      client.DELETE("/api/v1/organisations/{org}/members/invitations/{invitation_id}", { params }),
    );
  }

  async tokens(): Promise<Token[]> {
    const params = { path: { org: this.org } };
    const asked = this.http.ask((client) =>
      client.GET("/api/v1/organisations/{org}/tokens", { params }),
    );
    return (await asked).data;
  }

  async makeToken(body: Schemas["MakeToken"]) {
    const params = { path: { org: this.org } };
    const asked = this.http.ask((client) =>
      client.POST("/api/v1/organisations/{org}/tokens", { params, body }),
    );
    return (await asked).data;
  }

  async revokeToken(token_id: string): Promise<void> {
    const params = { path: { org: this.org, token_id } };
    await this.http.ask((client) =>
      client.DELETE("/api/v1/organisations/{org}/tokens/{token_id}", { params }),
    );
  }
}
